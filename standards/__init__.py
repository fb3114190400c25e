"""The law: pure functions of numbers and dated tables. Only numpy and the standard library; nothing else of ours."""
