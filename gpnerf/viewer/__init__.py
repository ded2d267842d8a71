"""A web page to look around in a scene: sessions of clients, one thread that renders for all, the page."""
