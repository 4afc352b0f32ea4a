/** Drawn for this page, 16 by 16; decoration beside a word that says the same. */
const PATHS = {
  ok: "M3 8.5l3.2 3.2L13 5",
  alert: "M8 2.2L14.6 13.6H1.4zM8 6.4v3.4M8 11.6v.4",
  bad: "M4 4l8 8M12 4l-8 8",
  clock: "M8 2a6 6 0 100 12A6 6 0 008 2zM8 5v3.2l2.2 1.4",
  ban: "M8 2a6 6 0 100 12A6 6 0 008 2zM3.8 3.8l8.4 8.4",
  search: "M7 2.5a4.5 4.5 0 100 9 4.5 4.5 0 000-9zM10.4 10.4l3.4 3.4",
  download: "M8 2v8M4.6 7L8 10.4 11.4 7M2.5 13.5h11",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  down: "M4 6l4 4 4-4",
  theme: "M8 2a6 6 0 100 12V2z",
  shield: "M8 1.8l5.2 2v4.4c0 3-2.2 5-5.2 6.2-3-1.2-5.2-3.2-5.2-6.2V3.800z",
  undo: "M5.5 3.500L2.500 6.500l3 3M2.800 6.500h6.700a3.500 3.500 0 010 7H6",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
