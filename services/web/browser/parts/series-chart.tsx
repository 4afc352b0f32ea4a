/** A time series, drawn by uPlot on a canvas, with a sentence that says the same. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { formatClock, formatDay, formatInstant, utcBeside } from "../text/instants.ts";
import { formatNumber } from "../text/numbers.ts";

export interface Series {
  name: string;
  values: readonly (number | null)[];
  /** A custom property of the style sheet, "--bad". */
  color: string;
}

interface SeriesChartProps {
  /** What a screen reader reads of the canvas. */
  summary: string;
  since: string;
  stepSeconds: number;
  series: readonly Series[];
  /** Of the values: "per second". */
  unit: string;
  height?: number;
}

export function SeriesChart(props: SeriesChartProps) {
  const { summary, since, stepSeconds, series, height = 160 } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const data = dataOf(Date.parse(since) / 1000, stepSeconds, series);
  const latest = useRef({ props, data });
  latest.current = { props, data };
  const shape = series.map(({ name, color }) => name + color).join() + String(stepSeconds);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const draw = () => {
      plot.current?.destroy();
      const { props: shown, data: drawn } = latest.current;
      plot.current = new uPlot(optionsOf(shown, element, height), drawn, element);
    };
    draw();
    const resized = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height }),
    );
    resized.observe(element);
    // The canvas does not follow the style sheet by itself.
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    const themed = new MutationObserver(draw);
    themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      resized.disconnect();
      themed.disconnect();
      dark.removeEventListener("change", draw);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shape, height]);

  useEffect(() => plot.current?.setData(data), [JSON.stringify(data)]);

  return (
    <figure class="chart" role="img" aria-label={summary}>
      <div ref={box} class="chart-box" />
      <figcaption>
        {series.map(({ name, color }) => (
          <span class="legend">
            <span class={`swatch ${color.slice(2)}`} aria-hidden="true" />
            {name}
          </span>
        ))}
        <span class="faint">{summary}</span>
      </figcaption>
    </figure>
  );
}

function dataOf(since: number, step: number, series: readonly Series[]): uPlot.AlignedData {
  const length = Math.max(...series.map(({ values }) => values.length), 0);
  const times = Array.from({ length }, (_, index) => since + index * step);
  return [times, ...series.map(({ values }) => [...values])];
}

/** From label to label: no more digits than the labels show. */
const INCREMENTS = Array.from({ length: 10 }, (_, power) =>
  [1, 2, 5].map((digit) => digit * 10 ** (power - 1)),
).flat();

function optionsOf(
  { series, stepSeconds, unit }: SeriesChartProps,
  element: HTMLElement,
  height: number,
): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: color("--ink-faint"),
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
    font: `12px ${style.fontFamily}`,
  };
  const isOfDays = stepSeconds >= 3600;
  const time = (at: number) =>
    (isOfDays ? formatInstant(at * 1000).slice(0, 16) : formatClock(at * 1000)) +
    utcBeside(at * 1000);
  return {
    width: element.clientWidth,
    height,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, size: 28, values: timeLabels, space: 70 },
      {
        ...axis,
        ...{ size: 52, values: (_, values) => values.map(formatNumber) },
        incrs: INCREMENTS,
        // A low chart has room for a second label, too.
        space: Math.min(36, height / 5),
      },
    ],
    series: [
      {},
      ...series.map(({ name, color: variable }) => ({
        label: name,
        stroke: color(variable),
        fill: `${color(variable)}26`,
        width: 1.5,
        points: { show: false },
        ...(uPlot.paths.stepped && { paths: uPlot.paths.stepped({ align: 1 }) }),
      })),
    ],
    plugins: [readout(series, time, unit)],
  };
}

/** Times of the axis, at most as exact as they differ. */
function timeLabels(_: uPlot, values: number[], ___: number, ____: number, step: number): string[] {
  return values.map((at) => {
    const day = formatDay(at * 1000);
    if (step >= 86_400) return day;
    const time = formatClock(at * 1000).slice(0, step >= 60 ? 5 : 8);
    return time === "00:00" ? day : time;
  });
}

/** What stands under the pointer, in words. */
function readout(
  series: readonly Series[],
  time: (at: number) => string,
  unit: string,
): uPlot.Plugin {
  const label = document.createElement("div");
  label.className = "chart-readout";
  return {
    hooks: {
      init: (plot) => plot.over.append(label),
      setCursor: ({ cursor: { idx }, data }) => {
        label.hidden = idx === null || idx === undefined;
        if (idx === null || idx === undefined) return;
        const values = series.map(({ name }, index) => {
          const value = data[index + 1]?.[idx];
          return `${name} ${value === null || value === undefined ? "not known" : formatNumber(value)}`;
        });
        label.textContent = `${time(data[0][idx] ?? 0)}: ${values.join(", ")} ${unit}`;
      },
    },
  };
}
