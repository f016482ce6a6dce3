# make bench-change: what a replacement and a join move, over what the new node must hold; real daemons on loopback.

.PHONY: bench-change
bench-change: $(BUILD)/dynkvd $(BUILD)/dynkv
	bench/change_figures.sh $(BUILD) $(CHANGE)
