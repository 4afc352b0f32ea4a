/** Every request that a coordinator answers. */
import type { JetStreamClient } from "@nats-io/jetstream";
import { aboutEndpoint } from "./about-endpoint.ts";
import { accountEndpoint } from "./account-endpoint.ts";
import { allowEndpoints } from "./allow-endpoints.ts";
import { allowImportEndpoint } from "./allow-import-endpoint.ts";
import type { ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";
import { banEndpoints } from "./ban-endpoints.ts";
import { banImportEndpoint } from "./ban-import-endpoint.ts";
import { banRestoreEndpoint } from "./ban-restore-endpoint.ts";
import { drillEndpoint } from "./drill-endpoint.ts";
import { failureAddEndpoint } from "./failure-add-endpoint.ts";
import { failureEndpoints } from "./failure-endpoints.ts";
import { hostEndpoints } from "./host-endpoints.ts";
import { jailEndpoints } from "./jail-endpoints.ts";
import { jailSettingEndpoints } from "./jail-setting-endpoints.ts";
import { manyBansEndpoints } from "./many-bans-endpoints.ts";
import { metricEndpoint } from "./metric-endpoint.ts";
import { notifyEndpoints } from "./notify-endpoints.ts";
import { quarantineEndpoint } from "./quarantine-endpoint.ts";
import { rateEndpoint } from "./rate-endpoint.ts";
import { seriesEndpoint } from "./series-endpoint.ts";
import { simulationEndpoint } from "./simulation-endpoint.ts";
import { statusEndpoints } from "./status-endpoints.ts";
import { watchEndpoint } from "./watch-endpoint.ts";
import { webLoginEndpoint } from "./web-login-endpoint.ts";

export interface EndpointsOptions {
  context: ApiContext;
  login: Parameters<typeof webLoginEndpoint>[0];
  /** Stores a failure that another program has seen. */
  publish: JetStreamClient["publish"];
}

export function endpointsOf({ context, login, publish }: EndpointsOptions): Endpoints {
  return {
    ...webLoginEndpoint(login),
    ...banEndpoints(context),
    ...manyBansEndpoints(context),
    ...banImportEndpoint(context),
    ...banRestoreEndpoint(context),
    ...quarantineEndpoint(context),
    ...allowEndpoints(context),
    ...allowImportEndpoint(context),
    ...jailEndpoints(context),
    ...jailSettingEndpoints(context),
    ...statusEndpoints(context),
    ...hostEndpoints(context),
    ...failureEndpoints(context),
    ...notifyEndpoints(context),
    ...metricEndpoint(context),
    ...drillEndpoint(context),
    ...watchEndpoint(context),
    ...rateEndpoint(context),
    ...seriesEndpoint(context),
    ...accountEndpoint(context),
    ...aboutEndpoint(context),
    ...simulationEndpoint(context),
    ...failureAddEndpoint(context, publish),
  };
}
