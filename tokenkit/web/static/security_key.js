// WebAuthn: asks the console for options, the browser for the key's answer, and hands that in.
"use strict";

const error = document.getElementById("error");

function say(progress, text) {
  error.replaceChildren();
  progress.textContent = text;
}

function refuse(progress, text) {
  progress.textContent = "";
  const said = document.createElement("p");
  said.className = "error";
  said.textContent = text;
  error.replaceChildren(said);
  error.scrollIntoView({block: "nearest"});
}

// of what browsers say little for fear of telling too much: what a person can do about it
const WORDS = {
  NotAllowedError: "The security key gave no answer: it was not touched in time, or the request was cancelled. Please try again.",
  InvalidStateError: "This security key is assigned already. Use another one.",
  SecurityError: "Security keys work at this console's own address only: open it as http://localhost.",
  NotSupportedError: "This security key does not support what is asked of it.",
};

async function post(address, csrf, value) {
  const answer = await fetch(address, {
    method: "POST",
    headers: {"Content-Type": "application/json", "X-CSRF-Token": csrf},
    body: JSON.stringify(value),
  });
  return answer.json();
}

async function ceremony(form, progress) {
  const csrf = form.elements.csrf.value;
  const begun = await post(form.dataset.begin, csrf, {});
  if (begun.error) return begun;
  let credential;
  if (form.dataset.ceremony === "create") {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(begun.options);
    credential = await navigator.credentials.create({publicKey});
  } else {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(begun.options);
    credential = await navigator.credentials.get({publicKey});
  }
  progress.textContent = "Checking …";
  const name = form.elements.name?.value;
  return post(form.dataset.complete, csrf, {id: begun.id, answer: credential.toJSON(), name});
}

for (const form of document.querySelectorAll("form.security-key")) {
  const progress = form.querySelector(".progress");
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    say(progress, "Touch your security key.");
    try {
      if (!window.PublicKeyCredential?.parseCreationOptionsFromJSON) {
        throw new DOMException("", "NoWebAuthn");
      }
      const said = await ceremony(form, progress);
      if (said.error) refuse(progress, said.error);
      if (said.go) location.assign(said.go);
    } catch (fault) {
      const words = fault.name === "NoWebAuthn"
        ? "This browser cannot use security keys: take a newer one, and open the console as http://localhost."
        : WORDS[fault.name] ?? `The security key could not be used: ${fault.message}`;
      refuse(progress, words);
    } finally {
      button.disabled = false;
    }
  });
}
