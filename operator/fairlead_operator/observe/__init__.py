"""What is declared: Kopf's watches and our own lists feed one inventory that knows no phantoms."""
