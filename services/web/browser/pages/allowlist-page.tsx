/** Addresses and networks that no automatic ban touches. */
import type { Allowed } from "../api/messages.ts";
import { usePages } from "../api/use-pages.ts";
import { useApp } from "../app-context.ts";
import { DisallowDialog } from "../commands/allow-dialog.tsx";
import { AllowButton } from "../commands/buttons.tsx";
import { may } from "../commands/may.ts";
import { DataTable, type Column } from "../parts/data-table.tsx";
import { Foreign } from "../parts/foreign.tsx";
import { AddressName } from "../parts/names.tsx";
import { Empty, Failed, Loading } from "../parts/states.tsx";
import { Time } from "../parts/time.tsx";

export function AllowlistPage() {
  const pages = usePages({
    endpoint: "allow.list",
    request: (after, limit) => ({ after, limit }),
    pageOf: ({ allowed, next, total }) => ({ rows: allowed, next, total }),
  });
  return (
    <>
      <header class="page-head">
        <h1>Allowlist</h1>
        <AllowButton />
      </header>
      <p class="faint">
        No automatic ban touches these addresses. An operator’s own ban of one of them is refused.
      </p>
      {pages.error && <Failed error={pages.error} retry={pages.retry} />}
      {pages.rows === undefined && !pages.error && <Loading what="the allowlist" />}
      {pages.rows?.length === 0 && (
        <Empty title="The allowlist is empty.">
          <p>Put the addresses of your offices and of your monitoring there.</p>
        </Empty>
      )}
      {pages.rows && pages.rows.length > 0 && (
        <DataTable
          caption="Allowlist"
          columns={COLUMNS}
          {...{ rows: pages.rows, total: pages.total, more: pages.more }}
          {...{ isLoading: pages.isLoading, all: pages.all }}
          keyOf={({ address, jail = "" }) => `${address} ${jail}`}
        />
      )}
    </>
  );
}

const COLUMNS: readonly Column<Allowed>[] = [
  {
    name: "Address",
    cell: ({ address, name }) => (
      <>
        <AddressName address={address} />
        {name !== undefined && (
          <span class="faint">
            {" "}
            <Foreign text={name} />
          </span>
        )}
      </>
    ),
    text: ({ address }) => address,
  },
  {
    name: "Jail",
    cell: ({ jail }) => jail ?? <span class="nowrap">every jail</span>,
    text: ({ jail }) => jail ?? "",
  },
  {
    name: "Comment",
    kind: "wide",
    cell: ({ comment }) => <Foreign text={comment} length={120} />,
    text: ({ comment }) => comment,
  },
  {
    name: "Label",
    cell: ({ label }) =>
      label === undefined ? (
        <span class="faint">—</span>
      ) : (
        <span class="badge">
          <Foreign text={label} length={24} />
        </span>
      ),
    text: ({ label }) => label ?? "",
  },
  {
    name: "Ends",
    cell: ({ until }) => (until === undefined ? "never" : <Time at={until} isRelative />),
    text: ({ until }) => until ?? "never",
  },
  {
    name: "Added",
    kind: "extra",
    cell: ({ addedAt }) => <Time at={addedAt} />,
    text: ({ addedAt }) => addedAt,
  },
  { name: "By", cell: ({ by }) => <Foreign text={by} length={28} />, text: ({ by }) => by },
  { name: "Commands", kind: "actions", cell: (entry) => <RemoveButton entry={entry} /> },
];

function RemoveButton({ entry }: { entry: Allowed }) {
  const { session, show } = useApp();
  if (!may(session.role, "allow-remove")) return null;
  if (entry.origin === "config") return <span class="faint">coordinator.yaml</span>;
  return (
    <button
      type="button"
      class="small"
      aria-label={`Remove ${entry.address}`}
      onClick={() => show(<DisallowDialog entry={entry} />)}
    >
      Remove
    </button>
  );
}
