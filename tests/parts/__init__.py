"""Real parts for the tests: a private Docker engine, a local imitation of the Hub, model caches as the clients
leave them. Nothing here knows anything of ot_doctor, so a test can trust it to disagree with the doctor."""
