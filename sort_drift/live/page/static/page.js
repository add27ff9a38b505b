// News without a reload, a filter, and the chart. Without this script every page is there, as it was when it came.
"use strict";
(() => {
  const PAUSE_MS = 2000; // between two fetches of what is shown
  const AGAIN_MS = 15000; // after the server had no room for a listener
  const state = document.getElementById("live");
  const content = () => document.getElementById("main");

  // ---- putting new content in the place of the old: what is alike stays, with its focus and scroll

  const keyOf = (node) => (node.nodeType === 1 ? node.dataset.key : undefined);

  function attributes(old, now) {
    for (const { name } of [...old.attributes]) {
      if (!now.hasAttribute(name) && !(old.nodeName === "DETAILS" && name === "open")) old.removeAttribute(name);
    }
    for (const { name, value } of now.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  }

  function patch(old, now) {
    if (old.isEqualNode(now)) return;
    if (old.nodeType !== 1) {
      old.data = now.data;
      return;
    }
    if ("keep" in old.dataset) return;
    attributes(old, now);
    children(old, now);
  }

  function children(old, now) {
    const known = new Map();
    for (const child of old.childNodes) if (keyOf(child) !== undefined) known.set(keyOf(child), child);
    let place = old.firstChild;
    for (const next of [...now.childNodes]) {
      const key = keyOf(next);
      let found = key === undefined ? place : known.get(key);
      if (found && key === undefined && (keyOf(found) !== undefined || found.nodeName !== next.nodeName)) found = null;
      if (found && found.nodeName === next.nodeName) {
        if (found === place) place = place.nextSibling;
        else old.insertBefore(found, place);
        patch(found, next);
      } else {
        old.insertBefore(document.importNode(next, true), place);
      }
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  }

  // ---- fetching

  let shown = Number(content()?.dataset.version ?? -1);
  let known = shown;
  let fetching = false;
  let last = 0;
  let timer = 0;

  const busy = () => {
    const selection = getSelection();
    return document.hidden || (selection && !selection.isCollapsed && content().contains(selection.anchorNode));
  };

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(refresh, Math.max(0, last + PAUSE_MS - Date.now()));
  }

  async function refresh() {
    if (fetching || known === shown) return;
    if (busy()) {
      timer = setTimeout(refresh, PAUSE_MS);
      return;
    }
    fetching = true;
    last = Date.now();
    try {
      const address = new URL(location.href);
      address.searchParams.set("fragment", "1");
      const answer = await fetch(address, { headers: { Accept: "text/html" } });
      if (answer.status === 401) location.reload();
      if (!answer.ok) return;
      show(new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main"));
    } catch {
      say("not connected, trying again");
    } finally {
      fetching = false;
      if (known > shown) soon();
    }
  }

  function show(fresh) {
    if (!fresh) return;
    const focused = document.activeElement;
    shown = Number(fresh.dataset.version);
    known = Math.max(known, shown);
    patch(content(), fresh);
    if (focused && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    offer(false);
    filter();
    chart?.renew();
    document.dispatchEvent(new CustomEvent("renewed"));
  }

  function say(text) {
    if (state && state.textContent !== text) state.textContent = text;
  }

  function offer(wanted) {
    let button = document.getElementById("offer");
    if (!wanted) return button?.remove();
    if (button) return;
    button = document.createElement("button");
    button.type = "button";
    button.id = "offer";
    button.textContent = "New runs: show them";
    button.addEventListener("click", () => {
      soon();
      content().focus({ preventScroll: true });
    });
    state?.after(button);
  }

  function heard(told) {
    if (told.state === "draining" || told.state === "failed") return say(`the service is ${told.state}`);
    known = told.version;
    say(told.state === "running" ? "live" : told.state);
    const count = document.getElementById("alarm-count");
    if (count && count.textContent !== String(told.alarms || "")) count.textContent = told.alarms || "";
    document.title = (told.alarms ? `(${told.alarms}) ` : "") + document.title.replace(/^\(\d+\) /, "");
    if (known === shown) return;
    const how = content().dataset.live;
    if (how === "auto") soon();
    else if (how === "ask") offer(true);
  }

  function listen() {
    const source = new EventSource("/events");
    source.addEventListener("board", (event) => heard(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      say("not connected, trying again");
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS);
    });
    addEventListener("pagehide", () => source.close(), { once: true });
  }

  // ---- filter of the rows of a table; "/" leads to it

  const fields = () => document.querySelectorAll("[data-filters]");

  function filter() {
    for (const holder of fields()) {
      const rows = document.querySelectorAll(`#${holder.dataset.filters} tbody tr`);
      if (!holder.firstChild) {
        const label = document.createElement("label");
        const input = document.createElement("input");
        const told = document.createElement("span");
        input.type = "search";
        input.id = "filter";
        told.setAttribute("role", "status");
        label.append("Filter rows (/) ", input, " ", told);
        holder.append(label);
        input.addEventListener("input", filter);
      }
      const words = holder.querySelector("input").value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const row of rows) {
        const has = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => has.includes(word));
        left += !row.hidden;
      }
      holder.querySelector("[role=status]").textContent = words.length ? `${left} of ${rows.length} rows` : "";
    }
  }

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest?.("input, select, textarea");
    if (event.key === "/" && !typing) {
      const field = document.getElementById("filter");
      if (!field) return;
      event.preventDefault();
      field.focus();
      field.select();
    } else if (event.key === "Escape" && typing?.id === "filter" && typing.value && typing.closest("[data-filters]")) {
      typing.value = "";
      filter();
    }
  });

  // ---- the chart of a variable over time

  const LOADS = { busy: "--load-busy", saturated: "--load-saturated", "above baseline range": "--load-beyond" };

  function draw(box) {
    const read = () => JSON.parse(document.getElementById("chart-data").textContent);
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const compact = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, notation: "compact" });
    const number = (v) => (v == null ? "-" : Math.abs(v) < 1e4 ? String(Number(v.toPrecision(3))) : compact.format(v));
    let data = read();
    const columns = () => [data.times, data.values, data.means];

    function bands(u) {
      const { ctx } = u;
      const { left, top, width, height } = u.bbox;
      const x = (t) => Math.min(Math.max(u.valToPos(t, "x", true), left), left + width);
      ctx.save();
      for (const [from, to, load] of data.bands) {
        if (!(load in LOADS)) continue;
        ctx.fillStyle = colour(LOADS[load]);
        ctx.fillRect(x(from), top, x(to) - x(from), height);
      }
      for (const mark of data.marks) {
        if (!mark.interval || mark.kind === "resolved") continue;
        ctx.fillStyle = colour(mark.kind === "alarm" ? "--interval" : "--band");
        ctx.fillRect(x(mark.interval[0]), top, Math.max(x(mark.interval[1]) - x(mark.interval[0]), 1), height);
      }
      ctx.restore();
    }

    function marks(u) {
      const { ctx } = u;
      const { left, top, width, height } = u.bbox;
      const ratio = devicePixelRatio;
      const upright = (t, name, paint, dash, before) => {
        const x = t == null ? NaN : u.valToPos(t, "x", true);
        if (!(x >= left && x <= left + width)) return;
        ctx.strokeStyle = ctx.fillStyle = paint;
        ctx.setLineDash(dash.map((d) => d * ratio));
        ctx.beginPath();
        ctx.moveTo(x, top);
        ctx.lineTo(x, top + height);
        ctx.stroke();
        // The words of one event stand on the outer sides of its two lines, where there is room.
        const room = 40 * ratio;
        ctx.textAlign = (before ? x - left > room : left + width - x < room) ? "end" : "start";
        ctx.fillText(name, x, top - 5 * ratio);
      };
      ctx.save();
      ctx.lineWidth = 1.5 * ratio;
      ctx.font = `${11 * ratio}px system-ui, sans-serif`;
      if (data.usual != null) {
        const y = u.valToPos(data.usual, "y", true);
        ctx.strokeStyle = colour("--soft");
        ctx.setLineDash([2 * ratio, 3 * ratio]);
        ctx.beginPath();
        ctx.moveTo(left, y);
        ctx.lineTo(left + width, y);
        if (y >= top && y <= top + height) ctx.stroke();
      }
      for (const mark of data.marks) {
        const paint = colour(mark.kind === "alarm" ? "--drift" : "--soft");
        if (mark.kind !== "resolved") upright(mark.onset, "onset", paint, [5, 4], true);
        upright(mark.at, { alarm: "alarm", minor: "minor", resolved: "back" }[mark.kind], paint, [], false);
      }
      ctx.restore();
    }

    const axis = { stroke: () => colour("--soft"), font: "11px system-ui, sans-serif",
      grid: { stroke: () => colour("--hair"), width: 1 }, ticks: { stroke: () => colour("--rule"), width: 1 } };
    const options = () => ({
      width: box.clientWidth, height: 320,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      padding: [18, 12, 0, 0],
      scales: { y: data.log ? { distr: 3 } : {} },
      cursor: { points: { size: 7 }, dataIdx: (u, series, at) => at },
      legend: { live: true },
      hooks: { drawClear: [bands], draw: [marks] },
      axes: [{ ...axis, size: 34, values: times }, { ...axis, size: 62, values: (u, ticks) => ticks.map(number) }],
      series: [
        { label: "run", value: (u, t, s, at) => (t == null ? "-" : `${clock(t)}  ${data.ids[at]}  ${data.tasks[at]}`) },
        { label: data.unit || "value", paths: () => null, value: (u, v) => number(v),
          points: { show: true, size: 4, stroke: () => colour("--dot"), fill: () => colour("--dot") },
          stroke: () => colour("--dot") },
        { label: `mean of ${data.window}`, width: 2, stroke: () => colour("--now"), value: (u, v) => number(v),
          points: { show: false } },
      ],
    });
    const clock = (t) => new Date(t * 1000).toISOString().slice(0, 19).replace("T", " ");
    function times(u, ticks) {
      const long = u.scales.x.max - u.scales.x.min > 2 * 86400;
      return ticks.map((t) => (long ? clock(t).slice(5, 16) : clock(t).slice(11, 19)));
    }

    let plot = null;
    let at = null; // of the run under the cursor

    function build() {
      plot?.destroy();
      box.textContent = "";
      plot = new uPlot(options(), columns(), box);
      plot.over.addEventListener("click", () => go(plot.cursor.idx));
    }
    function go(index) {
      if (index != null && !dragged()) location.assign(data.runs[index]);
    }
    const dragged = () => plot.select.width > 2;
    function move(index) {
      at = Math.min(Math.max(index, 0), data.times.length - 1);
      const left = plot.valToPos(data.times[at], "x");
      plot.setCursor({ left, top: plot.valToPos(data.values[at], "y") });
      told.textContent = `${clock(data.times[at])}, run ${data.ids[at]}: ${number(data.values[at])} ${data.unit}`;
    }

    const told = document.createElement("p");
    told.setAttribute("role", "status");
    told.className = "unseen";
    box.tabIndex = 0;
    box.setAttribute("role", "application");
    box.setAttribute("aria-label", `${box.dataset.said}. Arrow keys move from run to run, Enter opens one.`);
    box.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 };
      const from = at ?? data.times.length;
      if (event.key in steps) move(from + steps[event.key]);
      else if (event.key === "Home") move(0);
      else if (event.key === "End") move(data.times.length - 1);
      else if (event.key === "Enter" && at != null) go(at);
      else return;
      event.preventDefault();
    });
    build();
    box.after(told);
    new ResizeObserver(() => {
      if (Math.abs(box.clientWidth - plot.width) > 1) plot.setSize({ width: box.clientWidth, height: 320 });
    }).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw());
    addEventListener("beforeprint", () => plot.redraw());
    return {
      renew() {
        const fresh = document.getElementById("chart-data");
        if (!fresh) return;
        const zoomed = plot.scales.x.max - plot.scales.x.min < 0.99 * (data.times.at(-1) - data.times[0]);
        data = read();
        plot.setData(columns(), !zoomed);
        if (zoomed) plot.redraw();
      },
    };
  }

  // ---- begin

  let chart = null;
  document.documentElement.classList.add("script");
  const box = document.getElementById("chart");
  if (box && window.uPlot) chart = draw(box);
  filter();
  listen();
  addEventListener("visibilitychange", () => {
    if (!document.hidden && content().dataset.live === "auto" && known !== shown) soon();
  });
})();
