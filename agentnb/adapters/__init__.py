"""What plugs into the ports; plugins.py names each, nobody imports them."""
