"""Coming and going: what other programs and other gateways hold is brought in, and everything can leave."""
