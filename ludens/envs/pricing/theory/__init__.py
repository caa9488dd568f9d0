"""The theory of oligopoly: demand, best replies, equilibria, benchmark prices."""
