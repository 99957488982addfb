package vectors

import (
	"context"
	"fmt"
	"slices"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
)

// kernelOps are the steps of the EMV kernel.
func kernelOps() map[string]Op {
	return map[string]Op{
		"emv.select.candidates":  selectCandidates,
		"emv.select.application": selectApplication,
		"emv.gpo":                gpo,
		"emv.read_records":       readRecords,
		"emv.restrictions":       restrictions,
		"emv.trm":                riskManagement,
		"emv.taa":                actionAnalysis,
		"emv.session":            cardSession,
		"emv.cvm.evaluate":       cvmEvaluate,
	}
}

func selectCandidates(in Input) (map[string]any, error) {
	var apps []kernel.Application
	for _, o := range in.Objects("terminal_aids") {
		apps = append(apps, kernel.Application{AID: o.Hex("aid"), Partial: o.Bool("partial")})
	}
	card := &replay{left: in.Exchanges("apdus")}
	list, err := kernel.BuildCandidates(context.Background(), card, apps, false)
	why, other := reason(err)
	if err := firstError(card.done(false), other); err != nil {
		return nil, err
	}
	results := map[kernel.Reason]string{
		0: "candidates", kernel.NoApplication: "no_candidates", kernel.CardBlocked: "card_blocked",
		kernel.CardError: "card_error", kernel.CardLost: "card_error",
	}
	candidates := []any{}
	for _, c := range list {
		candidates = append(candidates, map[string]any{
			"aid": fmt.Sprintf("%X", c.AID), "priority": c.Priority, "confirmation": c.Confirmation,
		})
	}
	return map[string]any{
		"result": results[why], "candidates": candidates, "choice_required": kernel.ChoiceRequired(list),
	}, nil
}

func selectApplication(in Input) (map[string]any, error) {
	var list []kernel.Candidate
	remaining := []string{}
	for _, o := range in.Objects("candidates") {
		list = append(list, kernel.Candidate{
			AID: o.Hex("aid"), Priority: o.Int("priority"), Confirmation: o.Bool("confirmation"),
		})
		remaining = append(remaining, o.Text("aid"))
	}
	choice := in.Int("choice")
	if choice < 0 || choice >= len(list) {
		return nil, fmt.Errorf("choice %d of %d candidates", choice, len(list))
	}
	remaining = slices.Delete(remaining, choice, choice+1)
	card := &replay{left: in.Exchanges("apdus")}
	_, err := kernel.SelectApplication(context.Background(), card, list[choice])
	why, other := reason(err)
	if err := firstError(card.done(false), other); err != nil {
		return nil, err
	}
	results := map[kernel.Reason]string{
		0: "selected", kernel.ApplicationUnusable: "try_again", kernel.CardBlocked: "card_blocked",
		kernel.CardError: "card_error", kernel.CardLost: "card_error",
	}
	result := results[why]
	if result == "try_again" && len(remaining) == 0 {
		result = "no_candidates"
	}
	return map[string]any{"result": result, "remaining": remaining}, nil
}

func gpo(in Input) (map[string]any, error) {
	fci, err := kernel.ParseFCI(in.Hex("fci"))
	if err != nil {
		return nil, err
	}
	data, err := tagData(in, "data")
	if err != nil {
		return nil, err
	}
	card := &replay{left: in.Exchanges("apdus")}
	profile, err := kernel.Initiate(context.Background(), card, fci.PDOL(), data)
	why, other := reason(err)
	if err := firstError(card.done(why != 0), other); err != nil {
		return nil, err
	}
	switch why {
	case 0:
		return map[string]any{"result": "ok", "aip": profile.AIP, "afl": profile.AFL}, nil
	case kernel.ApplicationUnusable:
		return map[string]any{"result": "reselect"}, nil
	}
	return map[string]any{"result": "terminate"}, nil
}

func readRecords(in Input) (map[string]any, error) {
	card := &replay{left: in.Exchanges("apdus")}
	records, err := kernel.ReadRecords(context.Background(), card, in.Hex("afl"))
	why, other := reason(err)
	if err := firstError(card.done(why != 0), other); err != nil {
		return nil, err
	}
	if why != 0 {
		return map[string]any{"result": "terminate"}, nil
	}
	var aip []byte
	if in.Has("aip") {
		aip = in.Hex("aip")
	}
	return map[string]any{"result": "ok", "static_data": orNull(records.StaticData(aip))}, nil
}

func restrictions(in Input) (map[string]any, error) {
	terminal, err := tagData(in, "terminal")
	if err != nil {
		return nil, err
	}
	card, err := tagData(in, "card")
	if err != nil {
		return nil, err
	}
	kinds := map[int64]kernel.Kind{
		0x00: kernel.Purchase, 0x01: kernel.ManualCash, 0x09: kernel.PurchaseWithCashback,
		0x20: kernel.Refund, 0x30: kernel.Inquiry, 0x31: kernel.Inquiry,
	}
	code, ok := terminal.Binary(emv.TagType)
	kind, known := kinds[int64(code)]
	if !ok || !known {
		return nil, fmt.Errorf("no such transaction type")
	}
	return map[string]any{"tvr": field(5, kernel.Restrictions(kind, terminal, card))}, nil
}

// field is a field of size bytes with bits set.
func field(size int, bits []emv.Bit) []byte {
	f := make([]byte, size)
	for _, b := range bits {
		b.Set(f)
	}
	return f
}

func riskManagement(in Input) (map[string]any, error) {
	terminal, err := tagData(in, "terminal")
	if err != nil {
		return nil, err
	}
	tags, err := tagData(in, "card")
	if err != nil {
		return nil, err
	}
	floor, okFloor := terminal.Binary(emv.TagFloorLimit)
	amount, okAmount := terminal.Binary(emv.TagAmountBinary)
	if !okFloor || !okAmount {
		return nil, fmt.Errorf("the terminal has no floor limit or no amount")
	}
	card := &replay{left: in.Exchanges("apdus")}
	risk := kernel.Risk{Card: card, Tags: tags, Amount: int64(amount), Floor: int64(floor)}
	if pan, ok := tags.Digits(emv.TagPAN); ok {
		for _, entry := range in.Objects("log") { // oldest first: the latest stays
			if entry.Digits("pan") == pan {
				risk.Last = entry.Number("amount")
			}
		}
	}
	bits, err := risk.Run(context.Background())
	if err := firstError(card.done(false), err); err != nil {
		return nil, err
	}
	return map[string]any{"tvr": field(5, bits), "tsi": field(2, []emv.Bit{emv.TSITerminalRisk})}, nil
}

func actionAnalysis(in Input) (map[string]any, error) {
	tvr := in.Hex("tvr")
	if len(tvr) != 5 {
		return nil, fmt.Errorf("a TVR of %d bytes", len(tvr))
	}
	connections := map[string]emv.Connection{
		"online_capable": emv.OfflineWithOnline, "online_only": emv.OnlineOnly, "offline_only": emv.OfflineOnly,
	}
	connection, ok := connections[in.Text("terminal")]
	if !ok {
		return nil, fmt.Errorf("no terminal %q", in.Text("terminal"))
	}
	d := kernel.Analyze([5]byte(tvr), actionCodes(in.Object("iac")), actionCodes(in.Object("tac")),
		connection, in.Bool("unable_to_go_online"))
	out := map[string]any{"cryptogram": d.Cryptogram.String(), "p1": []byte{byte(d.Cryptogram)}, "arc": nil}
	if d.ARC != "" {
		out["arc"] = d.ARC
	}
	return out, nil
}

func actionCodes(in Input) kernel.ActionCodes {
	var c kernel.ActionCodes
	for key, code := range map[string]*[]byte{"denial": &c.Denial, "online": &c.Online, "default": &c.Default} {
		if in.Has(key) {
			*code = in.Hex(key)
		}
	}
	return c
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
