"""The room's server, through its public door and part by part."""
