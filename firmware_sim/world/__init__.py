"""The only doors to the outside world: time, temperature, randomness, storage, the finger."""
