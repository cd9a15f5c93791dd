import { testScans } from './scan-shard.js';

testScans(1_000_000, 1000);
