/** Headers of requests to a coordinator, and of its replies. */

/** Those of an error are as NATS's services framework has them. */
export const ERROR_CODE_HEADER = "Nats-Service-Error-Code";
export const ERROR_HEADER = "Nats-Service-Error";

/** The version of the fleetban that has answered. */
export const VERSION_HEADER = "Fleetban-Version";

/** Of a request: the address that the CLI's connection has, as NATS sees it. */
export const ASKER_ADDRESS_HEADER = "Fleetban-Asker-Address";
