import { testScans } from './scan-shard.js';

testScans(2500, 2500);
