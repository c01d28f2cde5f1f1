// Fills MongoDB with the copies that the shop's services hold, some of which have
// drifted, and makes the user that may only read them. mongosh runs it once, when
// the database is new.
const fs = require('fs');
const here = process.env.SHOP_DIR || '/shop';
const secrets = process.env.SECRETS_DIR || '/run/secrets';

const shop = db.getSiblingDB('shop');
for (const collection of ['products', 'baskets', 'members']) {
  const lines = fs.readFileSync(`${here}/${collection}.ndjson`, 'utf8').split('\n').filter(Boolean);
  shop.getCollection(collection).insertMany(lines.map((line) => EJSON.parse(line)));
}
shop.getCollection('baskets').createIndex({ 'items.productId': 1 });
shop.getCollection('members').createIndex({ customerId: 1 });

db.getSiblingDB('admin').createUser({
  user: 'plumbline_reader',
  pwd: fs.readFileSync(`${secrets}/reader_password`, 'utf8').trim(),
  roles: [{ role: 'read', db: 'shop' }, { role: 'clusterMonitor', db: 'admin' }],
});
