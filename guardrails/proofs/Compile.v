(** From a book to the kernel's normal form, and from accepted certificates to a covered book.

    This is the trusted part of [agent_fund/guard/compile.py], [cases.py] and [obligations.py] for instruments
    whose price is [price * (1 + return)] (spot and perpetuals), over again: held positions at any
    price of a band, legs at their limits, the loss of a venue as a constant. Forms are in base
    units of NAV times [Checker.scale]; a kernel scenario has one move a driver, in units of
    1/scale. Options (envelopes) and transfers under way are not in it. *)
Require Import ZArith QArith Qminmax Lqa List Bool Arith Lia.
From AgentFund Require Checker Meaning Soundness.
From AgentFund Require Import Sums Legs Ledger Assemble.
Import ListNotations.
Local Open Scope Q_scope.

(** What a resolved mandate declares, in integers: instruments come first among the drivers. *)
Record declared := {
  set : Checker.stress_set;
  count : nat;
  places : nat;
  place : nat -> nat;
  contract : nat -> Z;
  paid_cap : nat -> Z;
  received_cap : nat -> Z;
  failing : list nat;
  drivers_enough : (count <= length (Checker.intervals set))%nat;
  contract_nonnegative : forall i, (0 <= contract i)%Z;
  paid_cap_nonnegative : forall i, (0 <= paid_cap i)%Z;
  received_cap_nonnegative : forall i, (0 <= received_cap i)%Z;
  taken : nat -> nat -> bool;
  place_known : forall i, (i < count)%nat -> (place i < places)%nat
}.

(** An order: the instrument, the signed quantity still open in base units, the limit price. *)
Record order := Order { traded : nat; lots : Z; at_most : Z }.

(** A book as it is signed: exact integers, and the band that the decision's prices lie in. *)
Record exact := {
  units : nat -> Z;
  band_low : nat -> Z;
  band_high : nat -> Z;
  coins : nat -> Z;
  orders : list (list order)
}.

(** A move of 100 % as drivers count. *)
Definition hundred : Q := inject_Z Checker.scale.

Lemma hundred_positive : 0 < hundred.
Proof. unfold hundred. reflexivity. Qed.

Section Compile.
  Variable D : declared.

  Definition drivers : nat := length (Checker.intervals (set D)).

  (** Whether an instrument's venue stands after the loss [gone]. *)
  Definition elsewhere (gone : option nat) (i : nat) : bool :=
    match gone with None => true | Some j => negb (taken D j (place D i)) end.

  (** The held book: [sign * units * price * x], its price anywhere in the band; the worse of two
      slopes is a line and a hinge. *)
  Definition held_lines (sign : Z) (gone : option nat) (e : exact) : list line :=
    flat_map (fun i => if elsewhere gone i
      then [Line i (sign * units e i * contract D i * band_low e i) 0] else []) (seq 0 (count D)).
  Definition held_hinges (sign : Z) (gone : option nat) (e : exact) : list Checker.hinge :=
    flat_map (fun i => if elsewhere gone i && negb (band_low e i =? band_high e i)%Z
      then [Checker.Hinge 1 (Z.of_nat i)
        (sign * units e i * contract D i * (band_high e i - band_low e i)) 0] else [])
      (seq 0 (count D)).

  (** [worst_fill]: bought at its limit, worth price * (1 + x) later, or sold so; all the funding
      that a long may have received or paid before it counts against it. *)
  Definition worst_fill (e : exact) (o : order) : line :=
    let i := traded o in
    let size := (Z.abs (lots o) * contract D i)%Z in
    if (0 <=? lots o)%Z
    then Line i (- size * band_low e i)
      (size * (Checker.scale * (at_most o - band_low e i) + band_high e i * received_cap D i))
    else Line i (size * band_high e i)
      (size * (Checker.scale * (band_high e i - at_most o) + band_high e i * paid_cap D i)).

  (** [best_fill]: bought at the bottom of the box, or sold at its top. *)
  Definition best_fill (e : exact) (o : order) : line :=
    let i := traded o in
    let size := (Z.abs (lots o) * contract D i * band_high e i)%Z in
    let b := nth i (Checker.intervals (set D)) (0%Z, 0%Z) in
    if (0 <=? lots o)%Z then Line i size (- size * fst b) else Line i (- size) (size * snd b).

  Definition leg_lines (effect : order -> line) (gone : option nat) (full : list order)
    : list line :=
    flat_map (fun o => if elsewhere gone (traded o) then [effect o] else []) full.
  Definition leg_hinges (effect : order -> line) (gone : option nat) (options : list order)
    : list Checker.hinge :=
    flat_map (fun o => if elsewhere gone (traded o)
      then [let l := effect o in Checker.Hinge 1 (Z.of_nat (along l)) (rise l) (level l)] else [])
      options.

  (** What the loss [j] takes, each position at the end of the band that [pick] takes. *)
  Definition exposure (pick : Z -> Z -> Z) (e : exact) (j : nat) : Z :=
    (zsum (fun k => if taken D j k then coins e k else 0%Z) (seq 0 (places D))
     + zsum (fun i => if taken D j (place D i)
       then pick (units e i * contract D i * band_low e i)%Z
                 (units e i * contract D i * band_high e i)%Z else 0%Z) (seq 0 (count D)))%Z.

  Definition loss_form (e : exact) (gone : option nat) (c : case order) : Checker.form :=
    assemble drivers
      (match gone with None => 0%Z | Some k => (Z.max 0 (exposure Z.max e k) * Checker.scale)%Z end)
      (held_lines (-1) gone e ++ leg_lines (worst_fill e) gone (fst c))
      (held_hinges (-1) gone e ++ leg_hinges (worst_fill e) gone (snd c)).
  Definition gain_form (e : exact) (gone : option nat) (c : case order) : Checker.form :=
    assemble drivers
      (match gone with None => 0%Z | Some k => (- (exposure Z.min e k * Checker.scale))%Z end)
      (held_lines 1 gone e ++ leg_lines (best_fill e) gone (fst c))
      (held_hinges 1 gone e ++ leg_hinges (best_fill e) gone (snd c)).

  (** * What these mean in the ledger *)

  (** A return of each instrument that some scenario of the kernel's set gives it. *)
  Definition in_declared (x : scenario) (y : Meaning.scenario) : Prop :=
    Meaning.in_set (set D) y /\ forall i, (i < count D)%nat -> x i * hundred == moved y i.

  Definition edge (pick : Z * Z -> Z) (p : nat -> Q) (i : nat) : Q :=
    p i * (1 + inject_Z (pick (nth i (Checker.intervals (set D)) (0%Z, 0%Z))) / hundred).

  Lemma cap_nonnegative : forall c, (0 <= c)%Z -> 0 <= inject_Z c / hundred.
  Proof.
    intros c H. rewrite Zle_Qle in H. apply Qle_shift_div_l; [exact hundred_positive|].
    change (inject_Z 0) with 0 in H. lra.
  Qed.

  Definition mandate_of : mandate := {|
    instruments := count D; venues := places D; venue_of := place D;
    stress := fun _ x => exists y, in_declared x y;
    lowest := edge fst; highest := edge snd;
    most_paid := fun i => inject_Z (paid_cap D i) / hundred;
    most_received := fun i => inject_Z (received_cap D i) / hundred;
    may_fail := failing D; takes := taken D;
    paid_nonnegative := fun i => cap_nonnegative _ (paid_cap_nonnegative D i);
    received_nonnegative := fun i => cap_nonnegative _ (received_cap_nonnegative D i);
    venue_known := place_known D |}.

  Definition leg_of (o : order) : leg :=
    Leg (traded o) (inject_Z (lots o * contract D (traded o))) (inject_Z (at_most o)).

  (** The exact integers stand for this book: its positions in contracts, its prices in the band. *)
  Definition represents (e : exact) (b : book) : Prop :=
    (forall i, (i < count D)%nat -> positions b i == inject_Z (units e i * contract D i) /\
       (0 <= band_low e i)%Z /\
       inject_Z (band_low e i) <= price b i <= inject_Z (band_high e i)) /\
    (forall k, (k < places D)%nat -> money b k == inject_Z (coins e k)) /\
    chains b = map (map leg_of) (orders e) /\
    Forall (Forall (fun o => (traded o < count D)%nat)) (orders e).

  (** Certificates are accepted: for the loss and for the gain, of every case of the legs, with
      nothing lost and with each loss that may be, the checker confirms the bound. *)
  Definition accepted (b : book) (w : bounds) : Prop :=
    exists e most_lost most_gained,
      represents e b /\
      (0 <= most_lost)%Z /\ loss w == inject_Z most_lost / hundred /\
      (0 <= most_gained)%Z /\ gain w == inject_Z most_gained / hundred /\
      0 <= trading w /\ 0 <= apart w /\
      forall gone c, In gone (None :: map Some (failing D)) -> In c (cases (orders e)) ->
        (exists t, Checker.check (loss_form e gone c) (set D) t most_lost = true) /\
        (exists t, Checker.check (gain_form e gone c) (set D) t most_gained = true).
End Compile.
