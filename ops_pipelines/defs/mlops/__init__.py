"""Models of one's own: the data, features and training of flight_delay."""
