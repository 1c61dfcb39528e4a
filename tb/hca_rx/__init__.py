"""The HCA's receive engine alone, between neighbours made up by its bench."""
