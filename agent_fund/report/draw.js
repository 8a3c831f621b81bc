// Draws every figure from the JSON block that stands beside it; loads nothing.
(() => {
  const config = { responsive: true, displaylogo: false, displayModeBar: false };
  const charts = [...document.querySelectorAll(".chart")];
  for (const chart of charts) {
    const figure = JSON.parse(document.getElementById(chart.id + "-data").textContent);
    Plotly.newPlot(chart, figure.data, figure.layout, config);
  }
  // Paper has its own width, known only to the printer: 180 mm fits A4 and Letter.
  const width = (pixels) => charts.forEach((c) => Plotly.relayout(c, { width: pixels, autosize: !pixels }));
  addEventListener("beforeprint", () => width(680));
  addEventListener("afterprint", () => width(null));
})();
