"""The feature services: what each model asks for. A model's manifest carries the digest of its service."""

from feast import FeatureService
from views import aircraft, carrier_delays, origin_delays, route_delays, schedule, weather_at_origin

flight_delay = FeatureService(
    name="flight_delay",
    description="Whether a flight will arrive more than 15 minutes late, asked before it leaves",
    features=[schedule, weather_at_origin, aircraft, carrier_delays, route_delays, origin_delays],
)
