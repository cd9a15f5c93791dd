/** Pictures: charts, digits and graphs, as SVG and as PNG. Libraries are loaded by the first that needs them. */

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
