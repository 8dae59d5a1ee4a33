"""The networks and the quantizer of taming-transformers (Esser et al. 2021), so that weights published for
them load.
"""
