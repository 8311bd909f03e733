"""What a token's clock did, from the codes that were read off it."""
