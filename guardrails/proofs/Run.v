(** The guarantee is not about nothing: a fund that trades, is filled, is marked down and leaves.

    One instrument at 100 with moves of 20 % either way, 1,000 in cash, an order for 5 at 102. The
    certificates are leaves without a tangent; the checker is run on them here. *)
Require Import ZArith QArith Qminmax Lqa List Lia.
Import ListNotations.
Open Scope Q_scope.
From AgentFund Require Checker.
From AgentFund Require Import Sums Legs Ledger Machine Forms Compile Fund.

Definition small : declared.
Proof.
  refine {|
    set := Checker.StressSet [(-200000, 200000)%Z] []; count := 1; places := 1;
    place := fun _ => 0%nat; contract := fun _ => 1%Z; paid_cap := fun _ => 0%Z;
    received_cap := fun _ => 0%Z; failing := []; taken := Nat.eqb |}.
  - simpl. lia.
  - intros. lia.
  - intros. lia.
  - intros. lia.
  - intros. lia.
Defined.

Definition buy_five : order := Order 0 5 102.

Definition before : exact := {|
  units := fun _ => 0%Z; band_low := fun _ => 100%Z; band_high := fun _ => 100%Z;
  coins := fun _ => 1000%Z; orders := [[buy_five]] |}.

Definition first_book : book := {|
  price := fun _ => 100; positions := fun _ => 0; money := fun _ => 1000;
  chains := [[leg_of small buy_five]] |}.

(** At worst 5 are bought at 102 and worth 80; at best bought at 80 and worth 120. *)
Definition first_bounds : bounds := {| loss := 110; gain := 200; trading := 10; apart := 0 |}.

Lemma first_accepted : accepted small first_book first_bounds.
Proof.
  exists before, 110000000%Z, 200000000%Z.
  split; [|split; [lia|split; [vm_compute; reflexivity|split; [lia|split; [vm_compute; reflexivity|
    split; [vm_compute; discriminate|split; [vm_compute; discriminate|]]]]]]].
  - split; [|split; [|split; [reflexivity|]]].
    + intros i _. split; [reflexivity|]. split; [simpl; lia|]. split; vm_compute; discriminate.
    + intros k _. reflexivity.
    + repeat constructor; simpl; lia.
  - intros gone c [G|[]] [C|[]]. subst.
    split; exists (Checker.Leaf [] []); vm_compute; reflexivity.
Qed.

(** There is a fund whose checker accepts real certificates and that then buys 5 at 101, is marked
    at 80, reduces by half with a fee, and holds 2.5 while its limit of 40 % stands. *)
Theorem guarantee_is_not_empty : exists s,
  reachable (mandate_of small) (accepted small) (share_safe (4 # 10)) s /\
  at_mode s = Reducing /\ held (now s) 0%nat == 5 # 2 /\
  high_water s == 1000 /\ live_nav (mandate_of small) s == 890.
Proof.
  set (M := mandate_of small).
  set (none := fun _ : nat => 0). set (fee := fun _ : nat => 5).
  set (l0 := opened first_book).
  set (l1 := {| cash := cash_after M (cash l0) (bought (leg_of small buy_five) 1)
      (fun _ => 101) none;
    held := held_after (held l0) (bought (leg_of small buy_five) 1);
    mark := mark l0; paid := paid l0; fills := [[(leg_of small buy_five, 0 + 1)]];
    cancelled := false; lost := lost l0;
    spent := spent l0 + total (venues M) none; missed := missed l0 |}).
  set (l2 := {| cash := credit M (cash l1) (fun i => - (held l1 i * (0 - paid l1 i)));
    held := held l1; mark := fun _ => 80; paid := none; fills := fills l1;
    cancelled := cancelled l1; lost := lost l1; spent := spent l1; missed := missed l1 |}).
  set (l3 := {| cash := cash l2; held := held l2; mark := mark l2; paid := paid l2;
    fills := fills l2; cancelled := true; lost := lost l2; spent := spent l2;
    missed := missed l2 |}).
  set (down := fun _ : nat => - (1 # 5)).
  set (sold := fun i => (1 # 2) * held l3 i + none i).
  set (l4 := {| cash := cash_after M (cash l3) sold
      (fun i => all_in first_book down i + paid l3 i + none i) fee;
    held := held_after (held l3) sold; mark := mark l3; paid := paid l3; fills := fills l3;
    cancelled := true; lost := lost l3; spent := spent l3 + total (venues M) fee;
    missed := missed l3 + total (instruments M) none |}).
  set (s0 := decided Active first_book first_bounds 1000).
  set (after := fun (s : state) (l : live) => {| at_mode := at_mode s; last := last s; now := l;
    high_water := Qmax (high_water s) (nav M l) |}).
  set (s1 := after s0 l1). set (s2 := after s1 l2). set (s3 := in_mode s2 Reducing).
  set (s4 := after s3 l3). set (s5 := after s4 l4).
  assert (In : stress M (price first_book) down).
  { exists [-200000 # 1]. split.
    { split; [split; [split; vm_compute; discriminate|exact I]|constructor]. }
    intros i Hi. simpl in Hi. replace i with 0%nat by lia. vm_compute. reflexivity. }
  exists s5. split; [|split; [reflexivity|repeat split; vm_compute; reflexivity]].
  apply Next with s4; [apply Next with s3; [apply Next with s2; [apply Next with s1;
    [apply Next with s0|]|]|]|].
  - apply Start; [split; [exact first_accepted|]|]; vm_compute; discriminate.
  - refine (Tick M _ _ s0 l1 _). unfold l1.
    apply Fills with (o := leg_of small buy_five); try reflexivity.
    + apply (Fill leg [] [] (leg_of small buy_five) 0 [] [] 1); [constructor|lra|lra].
    + simpl. lia.
    + intros _. vm_compute. discriminate.
    + intro K. exfalso. revert K. vm_compute. intro K. apply K. reflexivity.
    + vm_compute. split; discriminate.
    + intros. unfold none. lra.
    + vm_compute. discriminate.
  - refine (Tick M _ _ s1 l2 _). apply Move with (x := down); [exact In| |].
    + intros i Hi. vm_compute. reflexivity.
    + intros i Hi. vm_compute. split; discriminate.
  - apply Reduce. reflexivity.
  - refine (Tick M _ _ s3 l3 _). apply Cancelled.
  - refine (Tick M _ _ s4 l4 _).
    apply Slice with (miss := none); try reflexivity; try exact In.
    + left. reflexivity.
    + lra.
    + intros i x Hi X. unfold none. lra.
    + vm_compute. discriminate.
    + intros. unfold fee. lra.
    + vm_compute. discriminate.
Qed.

Print Assumptions guarantee_is_not_empty.
