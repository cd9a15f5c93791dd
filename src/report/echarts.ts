/**
 * Exports ECharts with only the parts that our charts use, so that a bundler can omit the rest. This is a separate
 * module, because it is loaded only when the first chart is drawn.
 */

import { CustomChart, LineChart, ScatterChart } from 'echarts/charts';
import {
  GridComponent,
  LegendComponent,
  MarkAreaComponent,
  TitleComponent,
} from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

use([
  LineChart,
  ScatterChart,
  CustomChart,
  GridComponent,
  LegendComponent,
  MarkAreaComponent,
  TitleComponent,
  SVGRenderer,
]);

export { init };
