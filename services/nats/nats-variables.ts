/** Environment variables that stand for `nats:` settings. */
export const NATS_VARIABLES = {
  NATS_URL: "nats.url",
  FLEETBAN_NATS_CREDS: "nats.creds",
  FLEETBAN_NATS_USER: "nats.user",
  FLEETBAN_NATS_PASSWORD: "nats.password",
  FLEETBAN_NATS_CA: "nats.ca",
} as const;

/** The same without the address. */
export const LOGIN_VARIABLES = Object.fromEntries(
  Object.entries(NATS_VARIABLES).filter(([, setting]) => setting !== "nats.url"),
);
