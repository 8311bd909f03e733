"""What goes wrong on a wire and in flash, by a plan that is data."""
