// Draws every figure from the JSON block that stands beside it; loads nothing.
(() => {
  const config = { displaylogo: false, displayModeBar: false };
  const charts = [...document.querySelectorAll(".chart")];
  let paper = 0;
  const fit = (c) => {
    const width = paper || c.offsetWidth;
    if (width && width !== c._fullLayout.width) Plotly.relayout(c, { width });
  };
  // A chart follows its own place, which also changes when the window does not.
  const places = new ResizeObserver((seen) => seen.forEach(({ target }) => fit(target)));
  for (const chart of charts) {
    const figure = JSON.parse(document.getElementById(chart.id + "-data").textContent);
    Plotly.newPlot(chart, figure.data, figure.layout, config).then(() => places.observe(chart));
  }
  // Paper has its own width, known only to the printer: 180 mm fits A4 and Letter.
  const print = (width) => {
    paper = width;
    charts.forEach(fit);
  };
  addEventListener("beforeprint", () => print(680));
  addEventListener("afterprint", () => print(0));
})();
