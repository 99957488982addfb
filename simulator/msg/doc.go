// Package msg is `simulator msg`: it shows, compares, packs, redacts and sends
// ISO 8583 messages of any dialect, for people who test interfaces.
//
// A message is read with the compiled codec of the dialect (dialect.go) into a
// [Report] (explain.go), whose values are masked where they are made (mask.go,
// shown.go): what may hold card data or secrets is shown by its shape. explain
// and diff print reports; pack and redact go the other way.
package msg
