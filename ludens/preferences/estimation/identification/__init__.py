"""What the choices do not identify, and how that is noticed."""
