"""From a mail given to us to objects on the network, and what its sender is told."""
