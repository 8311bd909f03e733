// The token's display ticks by asking the server each second; the button and turning over need no
// new page. Without this script all of it works by forms and links.
"use strict";

const token = document.getElementById("token");
const now = document.getElementById("token-now");
const said = document.getElementById("token-said");
let shown = digits();

function digits() {
  return now.querySelector("[data-digits]").dataset.digits;
}

async function look() {
  const answer = await fetch(token.dataset.now, {headers: {Accept: "text/html"}});
  if (!answer.ok || answer.redirected) {
    location.reload(); // signed out, or the service was started anew
    return;
  }
  now.innerHTML = await answer.text();
  if (digits() !== shown) {
    shown = digits();
    // read out one by one, and only when they change
    said.textContent = shown ? `The display shows ${[...shown].join(" ")}` : "The display is dark";
  }
}

let asking = false;

async function lookOnce() {
  if (asking || document.hidden) return;
  asking = true;
  try {
    await look();
  } catch {
    // the server is away for a moment: the next second asks again
  } finally {
    asking = false;
  }
}

setInterval(lookOnce, 1000);

document.getElementById("press").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const body = new URLSearchParams(new FormData(form));
  await fetch(form.action, {method: "POST", body});
  await lookOnce();
});

const turn = document.getElementById("turn");
turn.addEventListener("click", (event) => {
  event.preventDefault();
  token.classList.add("moving");
  const back = token.classList.toggle("turned");
  for (const side of token.querySelectorAll("[data-side]")) {
    side.hidden = (side.dataset.side === "back") !== back;
  }
  turn.textContent = back ? "Turn it face up" : "Turn it over";
  said.textContent = back ? `Serial number ${token.dataset.serial}` : "";
});
