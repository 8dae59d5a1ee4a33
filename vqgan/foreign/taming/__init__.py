"""Hold the networks and quantizer of taming-transformers (Esser et al. 2021), for published weights."""
