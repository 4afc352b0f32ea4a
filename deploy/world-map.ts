/**
 * Makes the world map of the web page: an SVG path for every country, from world-atlas (Natural
 * Earth, public domain), in the Equal Earth projection. esbuild takes it in as a module of its own,
 * so that no browser has to read TopoJSON.
 *
 * https://github.com/topojson/topojson-specification
 * Šavrič, Patterson, Jenny: The Equal Earth map projection, 2018
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Plugin } from "esbuild";
import { COUNTRY_CODES, SMALL_COUNTRIES } from "./country-codes.ts";

const NAME = "fleetban:world-map";
const ATLAS = createRequire(import.meta.url).resolve("world-atlas/countries-110m.json");
export const MAP_WIDTH = 1000;

type Point = readonly [x: number, y: number];

interface Atlas {
  transform: { scale: Point; translate: Point };
  /** Points as differences to the point before. */
  arcs: readonly (readonly Point[])[];
  objects: { countries: { geometries: readonly Geometry[] } };
}

type Geometry = { id?: string; properties: { name: string } } & (
  | { type: "Polygon"; arcs: readonly (readonly number[])[] }
  | { type: "MultiPolygon"; arcs: readonly (readonly (readonly number[])[])[] }
);

export interface WorldMap {
  width: number;
  height: number;
  /** The code of a country (ISO 3166, two letters) and its path. */
  countries: [code: string, path: string][];
  /** Countries that are too small for a path: their place. */
  small: [code: string, x: number, y: number][];
}

/** Answers the import of "fleetban:world-map". */
export const worldMapPlugin: Plugin = {
  name: "world-map",
  setup(build) {
    build.onResolve({ filter: new RegExp(`^${NAME}$`) }, ({ path }) => ({
      path,
      namespace: "world-map",
    }));
    build.onLoad({ filter: /.*/, namespace: "world-map" }, () => ({
      contents: JSON.stringify(makeWorldMap()),
      loader: "json",
      watchFiles: [ATLAS],
    }));
  },
};

export function makeWorldMap(): WorldMap {
  const atlas = JSON.parse(readFileSync(ATLAS, "utf8")) as Atlas;
  const arcs = atlas.arcs.map((arc) => decodeArc(arc, atlas.transform));
  const countries: WorldMap["countries"] = [];
  for (const geometry of atlas.objects.countries.geometries) {
    const code = COUNTRY_CODES[geometry.id ?? geometry.properties.name];
    // Nobody attacks from Antarctica, which would take a fifth of the room.
    if (code === "AQ") continue;
    const polygons = geometry.type === "Polygon" ? [geometry.arcs] : geometry.arcs;
    const path = polygons.flat().map((ring) => pathOf(ring, arcs));
    countries.push([code ?? "", path.join("")]);
  }
  return {
    width: MAP_WIDTH,
    height: HEIGHT,
    countries,
    small: SMALL_COUNTRIES.map(([code, longitude, latitude]) => [
      code,
      ...project(longitude, latitude),
    ]),
  };
}

/** The points of an arc: longitude, latitude. */
function decodeArc(arc: readonly Point[], { scale, translate }: Atlas["transform"]): Point[] {
  let [x, y] = [0, 0];
  return arc.map(([dx, dy]) => {
    [x, y] = [x + dx, y + dy];
    return [x * scale[0] + translate[0], y * scale[1] + translate[1]];
  });
}

/** A ring as relative moves between whole units; "" where it is too small to be seen. */
function pathOf(ring: readonly number[], arcs: readonly Point[][]): string {
  const points = ring.flatMap((index, place) => {
    // A negative index is the arc in the other direction: ~index.
    const arc = index < 0 ? (arcs[~index]?.toReversed() ?? []) : (arcs[index] ?? []);
    return place === 0 ? arc : arc.slice(1);
  });
  const [start, ...others] = unwrap(points).map((point) => project(...point));
  if (!start) return "";
  let [x, y] = start;
  let moves = "";
  let count = 0;
  for (const [nextX, nextY] of others) {
    if (nextX === x && nextY === y) continue;
    const [dx, dy] = [nextX - x, nextY - y];
    moves += `${dx < 0 || moves === "" ? "" : " "}${dx}${dy < 0 ? "" : " "}${dy}`;
    [x, y] = [nextX, nextY];
    count += 1;
  }
  return count < 3 ? "" : `M${start.join(" ")}l${moves}z`;
}

/** The ring without a leap from 180 to -180 degrees: the east of Russia goes on behind 180. */
function unwrap(points: readonly Point[]): Point[] {
  let turn = 0;
  let before = points[0]?.[0] ?? 0;
  const unwrapped = points.map(([longitude, latitude]): Point => {
    if (longitude - before > 180) turn -= 360;
    if (longitude - before < -180) turn += 360;
    before = longitude;
    return [longitude + turn, latitude];
  });
  const isBehindWest = unwrapped.some(([longitude]) => longitude < -180.5);
  return unwrapped.map(([longitude, latitude]) => [
    isBehindWest ? longitude + 360 : longitude,
    latitude,
  ]);
}

const [A1, A2, A3, A4] = [1.340264, -0.081106, 0.000893, 0.003796];
const ROOT = Math.sqrt(3) / 2;
/** The map ends there: no country has land that is farther south or north. */
const [SOUTH, NORTH] = [-56, 84];

function equalEarth(longitude: number, latitude: number): Point {
  const theta = Math.asin(ROOT * Math.sin((latitude * Math.PI) / 180));
  const squared = theta ** 2;
  const sixth = squared ** 3;
  const slope = A1 + 3 * A2 * squared + sixth * (7 * A3 + 9 * A4 * squared);
  return [
    ((longitude * Math.PI) / 180) * (Math.cos(theta) / (ROOT * slope)),
    theta * (A1 + A2 * squared + sixth * (A3 + A4 * squared)),
  ];
}

const [EAST] = equalEarth(180, 0);
const UNIT = MAP_WIDTH / (2 * EAST);
const TOP = equalEarth(0, NORTH)[1] * UNIT;
const HEIGHT = Math.round(TOP - equalEarth(0, SOUTH)[1] * UNIT);

function project(longitude: number, latitude: number): Point {
  const [x, y] = equalEarth(longitude, latitude);
  return [Math.round((x + EAST) * UNIT), Math.round(TOP - y * UNIT)];
}
