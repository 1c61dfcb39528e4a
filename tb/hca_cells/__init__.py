"""Small blocks of the HCA alone, in every size their parameters allow."""
