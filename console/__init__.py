"""What people touch: application services, and the doors over them."""
