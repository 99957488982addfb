package ccid

// ParametersT0 is the data of SetParameters for T=0 (CCID 1.1, 6.1.7), whose
// first parameter byte is 0. The arguments are as in the answer to reset: TA1,
// TC1 and TC2.
func ParametersT0(fiDi, guard, wi byte, inverse bool) []byte {
	return []byte{fiDi, convention(inverse), guard, wi, 0}
}

// ParametersT1 is the data of SetParameters for T=1, whose first parameter byte
// is 1. waiting is TB3, ifsc TA3; the block check is LRC.
func ParametersT1(fiDi, guard, waiting, ifsc byte, inverse bool) []byte {
	return []byte{fiDi, 0x10 | convention(inverse), guard, waiting, 0, ifsc, 0}
}

func convention(inverse bool) byte {
	if inverse {
		return 0x02
	}
	return 0
}
