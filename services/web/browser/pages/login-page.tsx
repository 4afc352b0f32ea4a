import { Icon } from "../parts/icon.tsx";
import { Foreign } from "../parts/foreign.tsx";

interface LoginPageProps {
  base: string;
  /** "link", "oidc". */
  ways: readonly string[];
  /** Why the last session or link is of no use. */
  reason?: string | undefined;
  retry: () => void;
}

/** There is no password: this page says how to come in. */
export function LoginPage({ base, ways, reason, retry }: LoginPageProps) {
  return (
    <main class="alone login">
      <p class="brand">
        <Icon name="shield" /> fleetban
      </p>
      <h1>Log in</h1>
      {reason !== undefined && (
        <div class="callout warn" role="alert">
          <Icon name="alert" />
          <p>
            <Foreign text={reason} length={300} />
          </p>
        </div>
      )}
      {ways.includes("oidc") && (
        <section>
          <a class="button primary" href={`${base}/login/oidc`}>
            Log in with your organization’s account
          </a>
        </section>
      )}
      <section>
        <h2>{ways.includes("oidc") ? "Or by a link" : "By a link"}</h2>
        <p>
          fleetban has no passwords. On a machine where you use the <code>fleetban</code> command,
          run:
        </p>
        <pre>
          <code>fleetban web login</code>
        </pre>
        <p>
          It prints a link that is valid for 60 seconds and works once. Open the link in this
          browser. You then have the name and the rights of your credentials.
        </p>
        <p class="faint">
          <code>fleetban key revoke</code> ends a person’s sessions at once.
        </p>
      </section>
      <p>
        <button type="button" onClick={retry}>
          I have logged in in another tab
        </button>
      </p>
    </main>
  );
}
