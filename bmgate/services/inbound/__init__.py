"""From objects of the network to arrivals, and what answers them."""
