"""Read replies: choices, points, prices, refusals."""
