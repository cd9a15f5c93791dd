import { testScans } from './scan-shard.js';

testScans(0, 1000);
