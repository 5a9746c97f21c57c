// Microsoft's own parser of KQL: every query is sound against the tables' columns, and one with a wrong column is not.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const [packages] = process.argv.slice(2);
const root = path.resolve(__dirname, "../../..");
const queries = path.join(root, "infra/kql");
const tables = JSON.parse(fs.readFileSync(path.join(queries, "tables.json"), "utf8"));

// The package is made for a browser's page: its files share one global scope.
for (const file of ["bridge.min.js", "Kusto.Language.Bridge.min.js"]) {
  const script = path.join(packages, "@kusto/language-service-next", file);
  vm.runInThisContext(fs.readFileSync(script, "utf8"), { filename: script });
}
const { GlobalState, KustoCode } = globalThis.Kusto.Language;
const { ColumnSymbol, DatabaseSymbol, ScalarTypes, TableSymbol } = globalThis.Kusto.Language.Symbols;

const types = {
  string: ScalarTypes.String,
  datetime: ScalarTypes.DateTime,
  long: ScalarTypes.Long,
  boolean: ScalarTypes.Bool,
};
const symbols = Object.entries(tables).map(([name, columns]) => {
  const its = Object.entries(columns).map(([column, type]) => new ColumnSymbol(column, types[type]));
  return new TableSymbol.$ctor4(name, its);
});
const globals = GlobalState.Default.WithDatabase(new DatabaseSymbol.$ctor3("workspace", null, symbols, false));

function complaints(query) {
  const found = KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics();
  return Array.from({ length: found.Count }, (_, n) => found.getItem(n).Message);
}

let failed = 0;
function check(fact, found, isGood) {
  if (!isGood) failed += 1;
  console.log(`${isGood ? "ok" : "FAILED"} language-service: ${fact}`);
  if (!isGood) console.error(found);
}

for (const name of fs.readdirSync(queries).filter((name) => name.endsWith(".kql")).sort()) {
  const found = complaints(fs.readFileSync(path.join(queries, name), "utf8"));
  check(`${name} is sound against the tables' columns`, found, found.length === 0);
}
const published = JSON.parse(fs.readFileSync(path.join(__dirname, "published.json"), "utf8"));
for (const query of Object.keys(published)) {
  const found = complaints(query);
  check(`the retired connector's query is sound as it is: ${query.slice(0, 110)}`, found, found.length === 0);
}
for (const broken of [
  "ServiceDesk_CL | where Title == 'a'",
  "ServiceDesk_CL | where Revision startswith 'a' | wherex",
  "ServiceDeskLogs_CL | take 1",
]) {
  const found = complaints(broken);
  check(`a broken query is seen: ${broken}`, found, found.length > 0);
}
process.exit(failed === 0 ? 0 : 1);
