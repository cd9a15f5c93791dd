/** Draws pictures: charts, digits and graphs, as SVG and PNG. Each library is loaded when it is first needed. */

export { type Axis, type LineChart, lineChart, type Series } from './chart.js';
export { writeWhole } from './files.js';
export { renderDot } from './graphviz.js';
export { type ImageGrid, imageGrid } from './images.js';
export { encodePng, type Pixels, rasterise } from './raster.js';
export {
  gridPoints,
  type PointSet,
  type RegionChart,
  type RegionGrid,
  regionChart,
} from './regions.js';
