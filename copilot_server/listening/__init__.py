"""What every server of this program needs that listens: addresses and tokens."""
