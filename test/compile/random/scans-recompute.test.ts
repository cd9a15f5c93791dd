import { testScans } from './scan-shard.js';

testScans(2000, 1000, 'recompute');
