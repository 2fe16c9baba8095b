/**
 * A live plot of round trips in SVG: the last points, an axis in milliseconds, and markers for what happened between.
 * The axis is logarithmic, because one slow answer would otherwise flatten all the others.
 *
 * Polling is a ring, WebSocket a dot, a message a diamond: the shapes tell them apart without their colours.
 */

const SVG = "http://www.w3.org/2000/svg";
const MOST = 120; // points
const FEWEST = 30; // places for points, so that the first ones do not jump about
const [HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [200, 50, 12, 24, 10];

/** @typedef {{ms: number, transport: string, isMessage: boolean}} Point */

export class Plot {
  #points = [];
  #markers = []; // {at: number of points ever seen before it, text}
  #seen = 0;
  #decades = [0, 1]; // powers of ten at the bottom and at the top of the axis
  #svg = shape("svg", { role: "img" });
  #parent; #pending = false;

  /** @param {HTMLElement} parent */
  constructor(parent) {
    this.#parent = parent;
    parent.append(this.#svg);
    new ResizeObserver(() => this.#drawLater()).observe(parent);
  }

  /** @param {Point} point */
  add(point) {
    this.#points.push(point);
    if (this.#points.length > MOST) this.#points.shift();
    this.#seen += 1;
    this.#markers = this.#markers.filter((marker) => marker.at >= this.#seen - this.#points.length);
    this.#drawLater();
  }

  /** Remember that something happened after the last point. */
  mark(text) {
    this.#markers = this.#markers.filter((marker) => marker.at !== this.#seen);
    this.#markers.push({ at: this.#seen, text });
    this.#drawLater();
  }

  /** The median of what is shown, in milliseconds; NaN without points. */
  get median() {
    const sorted = this.#points.map((point) => point.ms).sort((a, b) => a - b);
    return sorted.length ? (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2 : NaN;
  }

  #drawLater() {
    if (this.#pending) return;
    this.#pending = true;
    requestAnimationFrame(() => { this.#pending = false; this.#draw(); });
  }

  #draw() {
    const width = Math.max(200, this.#parent.clientWidth);
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.#svg.setAttribute("aria-label", this.#summary());
    this.#chooseDecades();
    const places = Math.max(FEWEST, this.#points.length);
    const x = (index) => LEFT + ((index + 0.5) * (width - LEFT - RIGHT)) / places;
    this.#svg.replaceChildren(...this.#axis(width), ...this.#marks(x, width), this.#trace(x), ...this.#dots(x));
  }

  #summary() {
    const last = this.#points.at(-1);
    if (!last) return "Round trips: none yet";
    return `The last ${this.#points.length} round trips: median ${format(this.median)}, last ${format(last.ms)} over ${last.transport}`;
  }

  /** Whole powers of ten around all points, at least two decades of them. */
  #chooseDecades() {
    const all = this.#points.map((point) => Math.log10(Math.max(point.ms, 0.1)));
    const bottom = Math.floor(Math.min(0, ...all));
    this.#decades = [bottom, Math.max(bottom + 2, Math.ceil(Math.max(...all)))];
  }

  #y(ms) {
    const [bottom, top] = this.#decades;
    const part = (Math.log10(Math.max(ms, 10 ** bottom)) - bottom) / (top - bottom);
    return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM);
  }

  #axis(width) {
    const [bottom, top] = this.#decades;
    const lines = [];
    for (let power = bottom; power <= top; power += 1) {
      for (const factor of power < top ? [1, 2, 5] : [1]) {
        const y = this.#y(factor * 10 ** power);
        lines.push(shape("line", { class: factor === 1 ? "grid" : "grid fine", x1: LEFT, x2: width - RIGHT, y1: y, y2: y }));
        if (factor !== 1) continue;
        const label = shape("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" });
        label.textContent = power < 3 ? `${+(10 ** power).toPrecision(1)} ms` : `${10 ** (power - 3)} s`;
        lines.push(label);
      }
    }
    return lines;
  }

  #marks(x, width) {
    const first = this.#seen - this.#points.length;
    return this.#markers.map(({ at, text }) => {
      const middle = Math.max(LEFT, x(at - first - 0.5));
      const group = shape("g", { class: "marker" });
      const onLeft = middle > width - 110;
      const side = { x: middle + (onLeft ? -5 : 5), "text-anchor": onLeft ? "end" : "start" };
      const label = shape("text", { ...side, y: TOP - 11 });
      label.textContent = text;
      group.append(shape("line", { x1: middle, x2: middle, y1: TOP - 20, y2: HEIGHT - BOTTOM }), label);
      return group;
    });
  }

  #trace(x) {
    const points = this.#points.map((point, index) => `${x(index).toFixed(1)},${this.#y(point.ms).toFixed(1)}`);
    return shape("polyline", { class: "trace", points: points.join(" ") });
  }

  #dots(x) {
    return this.#points.map((point, index) => {
      const [across, y] = [x(index), this.#y(point.ms)];
      const dot = point.isMessage
        ? shape("path", { class: "point message-mark", d: `M${across} ${y - 6}l6 6-6 6-6-6Z` })
        : shape("circle", { class: `point ${point.transport}`, cx: across, cy: y, r: point.transport === "polling" ? 2.8 : 3 });
      const title = shape("title", {});
      title.textContent = `${format(point.ms)}, ${point.transport}${point.isMessage ? ", message" : ""}`;
      dot.append(title);
      return dot;
    });
  }
}

/** Milliseconds for people: three digits that mean something. */
export function format(ms) {
  if (!Number.isFinite(ms)) return "–";
  return `${ms >= 100 ? Math.round(ms) : ms.toFixed(ms >= 10 ? 1 : 2)} ms`;
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
