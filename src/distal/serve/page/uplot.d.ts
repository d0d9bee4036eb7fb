// The types of uPlot, which the build embeds as uplot.js. Only the type checker reads this file.
import uPlot from '../../../../.deps/npm/node_modules/uplot/dist/uPlot';
export default uPlot;
