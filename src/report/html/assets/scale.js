// ---- Time and place ------------------------------------------------------------------------------------------------

/// A quiet stretch is never shown longer than this share of the axis, when quiet stretches are shortened.
const QUIET_SHARE = 0.03;

/// One quiet stretch takes a quarter of the axis: it is better read with these shortened.
function isMostlyQuiet(points) {
  return points.slice(1).some((time, n) => time - points[n] > points.at(-1) / 4);
}

/// From instants to places between 0 and 1 and back.
class Scale {
  /// Points are instants at which something happens, in order, beginning with 0 and ending with the end.
  constructor(points, even) {
    const end = points.at(-1) || 1;
    this.times = even ? points : [0, end];
    const most = end * QUIET_SHARE;
    let sum = 0;
    this.places = this.times.map((time, n) => {
      if (n > 0) sum += even ? Math.min(time - this.times[n - 1], most) : time - this.times[n - 1];
      return sum;
    });
    this.places = this.places.map((place) => (sum ? place / sum : 0));
    [this.from, this.to] = [0, 1];
  }

  /// The place of an instant on the whole axis.
  whole(time) {
    const n = Math.max(1, Math.min(this.times.length - 1, upTo(this.times, time, (t) => t)));
    const [a, b] = [this.times[n - 1], this.times[n]];
    const part = b > a ? (time - a) / (b - a) : 0;
    return this.places[n - 1] + Math.max(0, Math.min(1, part)) * (this.places[n] - this.places[n - 1]);
  }

  /// The instant at a place of the whole axis.
  instant(place) {
    const n = Math.max(1, Math.min(this.places.length - 1, upTo(this.places, place, (p) => p)));
    const [a, b] = [this.places[n - 1], this.places[n]];
    const part = b > a ? (place - a) / (b - a) : 0;
    return Math.round(this.times[n - 1] + Math.max(0, Math.min(1, part)) * (this.times[n] - this.times[n - 1]));
  }

  /// The place of an instant in what is shown: 0 is its left edge, 1 its right one.
  place(time) {
    return (this.whole(time) - this.from) / (this.to - this.from);
  }

  /// The instant at a place of what is shown.
  time(place) {
    return this.instant(this.from + place * (this.to - this.from));
  }

  /// Shows more or less of the axis around an instant.
  zoom(factor, time) {
    const width = Math.min(1, Math.max(1e-6, (this.to - this.from) * factor));
    const middle = this.whole(time);
    const share = Math.max(0, Math.min(1, this.place(time)));
    this.from = Math.max(0, Math.min(1 - width, middle - share * width));
    this.to = this.from + width;
  }

  /// Moves what is shown so that an instant is in it.
  show(time) {
    const [place, width] = [this.whole(time), this.to - this.from];
    if (place < this.from || place > this.to) {
      this.from = Math.max(0, Math.min(1 - width, place - width / 2));
      this.to = this.from + width;
    }
  }

  /// Instants for the ruler: round ones, about as many as asked for.
  ticks(count) {
    if (this.times.length > 2) {
      return Array.from({ length: count + 1 }, (_, n) => this.time(n / count));
    }
    const [from, to] = [this.time(0), this.time(1)];
    const steps = [1, 2, 5].flatMap((n) => [1e6, 1e7, 1e8, 1e9].map((unit) => n * unit));
    steps.push(...[10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400].map((s) => s * 1e9));
    const step = steps.sort((a, b) => a - b).find((s) => (to - from) / s <= count) || (to - from) / count;
    const ticks = [];
    for (let time = Math.ceil(from / step) * step; time <= to; time += step) ticks.push(time);
    return ticks;
  }
}
