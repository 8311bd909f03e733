"""What all reports share: pages that need nothing else, pictures in their colours, whole files."""
