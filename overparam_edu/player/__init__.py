"""The engine: scenes, their player in the browser, and saved pages and pictures."""
