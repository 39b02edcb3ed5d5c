for (const place of document.querySelectorAll(".chart")) {
  const figure = JSON.parse(place.nextElementSibling.textContent);
  Plotly.newPlot(place, figure.data, figure.layout, {responsive: true, displaylogo: false, modeBarButtons: [["toImage"]]});
}
